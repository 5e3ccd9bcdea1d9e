"""What runs inside the hub: spawners that claim a grant, and the doors to the launch page."""
