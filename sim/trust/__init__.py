"""The ladder of verdicts: is what was built equal to the golden model?"""
