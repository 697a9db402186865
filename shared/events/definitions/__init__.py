"""Every event there is, a module for each noun."""
