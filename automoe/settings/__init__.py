"""How a training and a search are set; the modules load nothing heavy, so options are quick."""
