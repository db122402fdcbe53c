"""Close ticks (`closing`), rank entries (`standings`), show what everybody is worth (`live`), as `frames`."""
