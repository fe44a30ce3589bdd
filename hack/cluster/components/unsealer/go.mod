module ejustice.dev/operator/hack/cluster/components/unsealer

go 1.26.0
