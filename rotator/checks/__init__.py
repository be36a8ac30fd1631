"""`rotator check`: runs each driver's inspection, and compares what they find."""
