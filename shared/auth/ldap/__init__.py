"""Users and groups of a directory (LDAP, Active Directory)."""
