"""The API's resources, a module for each tag: each reads, authorises, calls one use case, writes."""
