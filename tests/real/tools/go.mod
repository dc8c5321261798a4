module kubectl-connect.dev/tests/real/tools

go 1.26.0
