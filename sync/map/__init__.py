"""The receiver's map: a page, and what it asks for as GeoJSON, read only from the receiver's database.

`sync.map.server` serves it. Nothing is imported here: the options of the command are read where nothing is served.
"""
