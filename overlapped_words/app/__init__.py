"""The web page of app.py: one module per tab, and the model and its limits that they share."""
