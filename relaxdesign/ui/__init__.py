"""The web app: pages and components over ``relaxdesign.server``; no physics and no file formats."""
