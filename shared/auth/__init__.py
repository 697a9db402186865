"""Who somebody is and what they may do: principals, roles, passwords and the chain of authenticators."""
