program coredns .
