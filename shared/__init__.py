"""What several services stand on; a module enters here only when two of them need it."""
