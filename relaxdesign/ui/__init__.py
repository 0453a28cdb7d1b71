"""The web app: pages and components over ``relaxdesign.jobs``; no physics and no file formats."""
