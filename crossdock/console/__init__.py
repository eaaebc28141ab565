"""The console: pages for the people who run the dock, and one for suppliers. HTML from the server, no script at all.

``pages`` has the routes; each page has a module that gathers what it says and a template that says it. What an audience
other than integration sees passes a ``View``. Whatever changes something is a form: sent from our own pages, done by
the same functions as the command line's, written down with who did it.
"""
