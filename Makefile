# One-line names for ./pynvme, which says more: ./pynvme --help
# make test TESTS=scripts/demo_test.py::test_hello_world [DUT=01:00.0]

.PHONY: setup demo test bench clean
setup demo bench clean:
	@./pynvme $@

test:
	@./pynvme test $(TESTS) $(if $(DUT),--dut $(DUT))
