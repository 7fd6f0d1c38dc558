"""``snnc compare``: distillation methods against no distillation, over seeds and students, at equal budget.

::

    OUTPUT/compare.json                            what is compared, and the options that all runs share
           runs/STUDENT/METHOD/seed-N/student.pt   of `snnc distill`; student.training.pt while it is not finished
                                      log.txt      what the run printed
                                      attempts.json  how long it ran and how it ended, every time it was started
           teachers/TEACHER/seed-N/teacher.pt      trained once for all methods that listen to one
           results.json, table.md, gains.png       made from what lies in runs/

Every run is a plain process of ``snnc distill``. All state is in the folder: a comparison that was interrupted goes on
with the same command, on the same or on another machine.
"""
