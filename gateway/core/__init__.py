"""The core mount: REST API, portal and the gate for manifest writes."""
