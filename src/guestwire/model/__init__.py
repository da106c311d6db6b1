"""Domain values that every protocol shares: events, rich content, the transcript they fold into."""
