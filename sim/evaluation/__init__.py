"""`snnc evaluate`: how good, how busy and how robust a trained network is, and what ails it.

::

    subject      the integer network and its float meaning          floating    the float run
    samples      test samples as the network takes them             activity    one run of both, tallied
    operations   work and memory per layer                          energy      modelled, from a table of costs
    noise/       families of noise                                  immunity    accuracy against their levels
    health       measurements of layers                             doctor      what stands out, and advice
    evaluation   all of it together, evaluation.json                report, plots, console    for people
"""
