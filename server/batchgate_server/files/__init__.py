"""What the gateway adds to the providers' file API: verified cut-through uploads, ranged downloads."""
