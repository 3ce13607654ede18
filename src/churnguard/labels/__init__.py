"""What "churned" means, and when that can be known."""
