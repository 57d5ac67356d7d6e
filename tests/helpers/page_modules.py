"""Import the modules of the web page and print where they are."""

import app
import overlapped_words.app.page
import overlapped_words.inference.model

for module in (app, overlapped_words.inference.model, overlapped_words.app.page):
    print(module.__file__)
