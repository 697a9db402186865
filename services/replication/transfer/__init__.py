"""From one registry to another: blobs once, children before their index, manifests last."""
