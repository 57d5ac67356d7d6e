"""Import the modules of the web page and print where they are."""

import app
import inference.model
import reporting.app_page

for module in (app, inference.model, reporting.app_page):
    print(module.__file__)
