"""How wide each engine is and where its memories live: the search, and what it is made of."""
