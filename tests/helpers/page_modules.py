"""Import the modules of the web page and print where they are."""

import overlapped_words.app.page
import overlapped_words.app.server
import overlapped_words.inference.model

for module in (overlapped_words.app.server, overlapped_words.inference.model, overlapped_words.app.page):
    print(module.__file__)
