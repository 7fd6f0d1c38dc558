"""Teachers, students, losses and training: torch in, student.pt out."""
