"""What a record is and how records are chained: pure rules."""
