// Command provisioner gives the local cluster its persistent volumes: a claim
// becomes a folder of the node its pod was scheduled to, and the volume is tied
// to that node. It runs on the host, where every node's folder lies side by
// side, so no helper pod is needed to make or remove one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

const name = "local.ejustice.dev"

// folders keeps a volume in <root>/<node>/volumes/<volume name>.
type folders struct{ root string }

func (f folders) Provision(_ context.Context, o controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	if o.SelectedNodeName == "" {
		return nil, controller.ProvisioningFinished,
			fmt.Errorf("storage class %s needs volumeBindingMode WaitForFirstConsumer", o.StorageClass.Name)
	}
	node := o.SelectedNodeName
	path := filepath.Join(f.root, node, "volumes", o.PVName)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("making volume folder: %w", err)
	}
	// The umask took bits away; a container of any uid must be able to write.
	if err := os.Chmod(path, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("opening volume folder: %w", err)
	}
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: o.PVC.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: path}},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
				MatchExpressions: []v1.NodeSelectorRequirement{{
					Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node},
				}},
			}}}},
		},
	}, controller.ProvisioningFinished, nil
}

func (f folders) Delete(_ context.Context, pv *v1.PersistentVolume) error {
	path := pv.Spec.Local.Path
	// The path comes back from the API: remove nothing that is not one of ours.
	if ok, err := filepath.Match(filepath.Join(f.root, "*", "volumes", pv.Name), path); err != nil || !ok {
		return fmt.Errorf("volume %s names %s, which is not one of this provisioner's folders", pv.Name, path)
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("removing volume folder: %w", err)
	}
	return nil
}

func run(ctx context.Context) error {
	kubeconfig := flag.String("kubeconfig", "", "file that says how to reach the cluster")
	root := flag.String("root", "", "folder that holds one folder per node")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("reading kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	controller.NewProvisionController(ctx, client, name, folders{root: *root},
		controller.LeaderElection(false)).Run(ctx)
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "provisioner:", err)
		os.Exit(1)
	}
}
