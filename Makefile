# The verbs of ./breakwater under make's name: `make` lists them.
.DEFAULT_GOAL := list
VERBS := up down status doctor logs tour check test test-all test-compose bench

.PHONY: list $(VERBS)

list:
	@./breakwater help

$(VERBS):
	@./breakwater $@
