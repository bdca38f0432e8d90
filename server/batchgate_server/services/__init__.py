"""The servicers, one file per proto service: select, translate, call, translate."""
