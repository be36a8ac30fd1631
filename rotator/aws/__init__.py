"""What everything that asks AWS shares: registry hosts, session, identity, and what errors mean."""
