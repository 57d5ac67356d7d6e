"""Import the modules of the web page and print where they are."""

import app
import inference.model
import reporting.app.page

for module in (app, inference.model, reporting.app.page):
    print(module.__file__)
