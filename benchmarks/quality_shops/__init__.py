"""How good scores are on public data: the shops, their rows, the peers, and the page."""
