"""What the registry's protocol has and distribution answers in one piece, to administrators alone, or not at all."""
