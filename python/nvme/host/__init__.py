# What ./pynvme setup, reset and info know of this machine: PCI functions, who uses them, which
# driver has them. Pure Python on sysfs and procfs; the driver itself (src/pcie) never comes here.
"""Real devices of this machine: what is there, who uses it, handing it over and giving it back."""
