"""RabbitMQ as Breakwater uses it: one topology, publishing with confirms, one consumer for nameko."""
