"""How the models were made: from COCO folders to a checked INT8 file."""
