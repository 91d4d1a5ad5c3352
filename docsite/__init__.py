"""What the documentation is made with: generated pages, pictures, screenshots."""
