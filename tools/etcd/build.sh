program etcd go.etcd.io/etcd/server/v3
