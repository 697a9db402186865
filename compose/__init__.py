"""How the parts are put together: templates, the local run, containers, the command line."""
