"""What processes count of their own work: summed up in memory, told to the database, read there for a scrape."""
