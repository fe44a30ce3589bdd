package helm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
)

const (
	maxHistory = 5 // revisions kept a release

	// labelInputs is on the release Secret, so that it can be read without its content.
	labelInputs = "ejustice.dev/inputs"

	operationTimeout = 2 * time.Minute // of hooks; workloads are not waited for
)

var secretListKind = corev1.SchemeGroupVersion.WithKind("SecretList")

// SDK is Releases on the Helm v3 SDK with Helm's own Secret storage in the namespace of the
// release, so that `helm list` shows what the operator installs.
type SDK struct {
	cluster *cluster
	reader  client.Reader // reads metadata of release Secrets, never from a cache

	mu   sync.Mutex
	seen map[string]decodedRelease // by namespace/name of the Secret
}

// decodedRelease is what a release Secret of one resource version holds.
type decodedRelease struct {
	resourceVersion string
	release         *Release
}

// New makes an SDK. The reader must not be a cache.
func New(config *rest.Config, mapper meta.RESTMapper, reader client.Reader) (*SDK, error) {
	shared, err := newCluster(config, mapper)
	if err != nil {
		return nil, err
	}
	kube.ManagedFieldsManager = v1alpha1.FieldOwner
	return &SDK{cluster: shared, reader: reader, seen: map[string]decodedRelease{}}, nil
}

var _ Releases = (*SDK)(nil)

// Observe implements Releases. It lists the metadata of the release's Secrets and decodes
// the newest only when it has changed since the last time.
func (s *SDK) Observe(ctx context.Context, namespace, name string) (*Release, error) {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(secretListKind)
	err := s.reader.List(ctx, secrets, client.InNamespace(namespace), client.MatchingLabels{"owner": "helm", "name": name})
	if err != nil {
		return nil, fmt.Errorf("listing the history of release %s: %w", name, err)
	}
	newest, deployed := newestOf(secrets.Items)
	if newest == nil {
		return nil, nil
	}
	observed, err := s.load(namespace, name, newest)
	if err != nil {
		return nil, err
	}
	result := *observed
	if deployed != nil && deployed.Name != newest.Name {
		last, err := s.load(namespace, name, deployed)
		if err != nil {
			return nil, err
		}
		result.Version = last.Version
	}
	return &result, nil
}

func newestOf(secrets []metav1.PartialObjectMetadata) (newest, deployed *metav1.PartialObjectMetadata) {
	for i := range secrets {
		secret := &secrets[i]
		if newest == nil || revisionOf(secret) > revisionOf(newest) {
			newest = secret
		}
		if secret.Labels["status"] == release.StatusDeployed.String() &&
			(deployed == nil || revisionOf(secret) > revisionOf(deployed)) {
			deployed = secret
		}
	}
	return newest, deployed
}

func revisionOf(secret *metav1.PartialObjectMetadata) int {
	n, err := strconv.Atoi(secret.Labels["version"])
	if err != nil {
		return 0
	}
	return n
}

func (s *SDK) load(namespace, name string, secret *metav1.PartialObjectMetadata) (*Release, error) {
	key := namespace + "/" + secret.Name
	s.mu.Lock()
	known, ok := s.seen[key]
	s.mu.Unlock()
	if ok && known.resourceVersion == secret.ResourceVersion {
		return known.release, nil
	}
	config, err := s.configuration(namespace, nil)
	if err != nil {
		return nil, err
	}
	stored, err := config.Releases.Get(name, revisionOf(secret))
	if err != nil {
		return nil, fmt.Errorf("reading revision %d of release %s: %w", revisionOf(secret), name, err)
	}
	objects, err := wanted(stored.Manifest, namespace)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of release %s: %w", name, err)
	}
	decoded := &Release{
		Revision: stored.Version,
		State:    stateOf(stored.Info.Status),
		Inputs:   secret.Labels[labelInputs],
		Version:  VersionOf(stored.Config),
		Objects:  objects,
	}
	s.remember(key, decodedRelease{secret.ResourceVersion, decoded})
	return decoded, nil
}

func (s *SDK) remember(key string, decoded decodedRelease) {
	const most = 1000 // release Secrets; forgetting all only costs reading them again
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) >= most {
		clear(s.seen)
	}
	s.seen[key] = decoded
}

func stateOf(status release.Status) State {
	switch {
	case status.IsPending():
		return Pending
	case status == release.StatusUninstalling, status == release.StatusUninstalled:
		return Uninstalling
	case status == release.StatusDeployed:
		return Deployed
	}
	return Failed
}

// Install implements Releases.
func (s *SDK) Install(_ context.Context, r Request) error {
	config, err := s.configuration(r.Namespace, nil)
	if err != nil {
		return err
	}
	if err := checkValues(r); err != nil {
		return err
	}
	install := action.NewInstall(config)
	install.ReleaseName, install.Namespace = r.Name, r.Namespace
	install.Labels = map[string]string{labelInputs: r.Inputs}
	install.PostRenderer = postRender{r.Namespace, r.Labels}
	install.DisableOpenAPIValidation = true
	install.SkipCRDs = true
	install.Timeout = operationTimeout
	// Run and not RunWithContext: cancelled, Helm would go on writing behind our back while
	// the next leader begins.
	if _, err := install.Run(r.Chart, r.Values); err != nil {
		return explain("installing", r.Name, err)
	}
	return nil
}

// Upgrade implements Releases.
func (s *SDK) Upgrade(_ context.Context, r Request) error {
	config, err := s.configuration(r.Namespace, nil)
	if err != nil {
		return err
	}
	if err := checkValues(r); err != nil {
		return err
	}
	upgrade := action.NewUpgrade(config)
	upgrade.Namespace = r.Namespace
	upgrade.MaxHistory = maxHistory
	upgrade.ResetValues = true
	upgrade.Labels = map[string]string{labelInputs: r.Inputs}
	upgrade.PostRenderer = postRender{r.Namespace, r.Labels}
	upgrade.DisableOpenAPIValidation = true
	upgrade.SkipCRDs = true
	upgrade.Timeout = operationTimeout
	if _, err := upgrade.Run(r.Name, r.Chart, r.Values); err != nil {
		return explain("upgrading", r.Name, err)
	}
	return nil
}

// Unlock implements Releases.
func (s *SDK) Unlock(_ context.Context, namespace, name string) error {
	config, err := s.configuration(namespace, nil)
	if err != nil {
		return err
	}
	last, err := config.Releases.Last(name)
	if err != nil {
		return fmt.Errorf("reading release %s: %w", name, err)
	}
	if !last.Info.Status.IsPending() {
		return nil
	}
	last.SetStatus(release.StatusFailed, "the operation was cut off")
	if err := config.Releases.Update(last); err != nil {
		return fmt.Errorf("marking release %s as failed: %w", name, err)
	}
	return nil
}

// Uninstall implements Releases.
func (s *SDK) Uninstall(_ context.Context, namespace, name string) error {
	var reasons []string
	config, err := s.configuration(namespace, &reasons)
	if err != nil {
		return err
	}
	uninstall := action.NewUninstall(config)
	uninstall.IgnoreNotFound = true
	uninstall.DeletionPropagation = "background"
	uninstall.Timeout = operationTimeout
	if _, err := uninstall.Run(name); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		if len(reasons) > 0 {
			return fmt.Errorf("uninstalling %s: %w: %s", name, err, reasons[len(reasons)-1])
		}
		return fmt.Errorf("uninstalling %s: %w", name, err)
	}
	return nil
}

// configuration prepares one operation. What Helm logs about failures goes to reasons,
// because Helm's own error for a failed uninstallation leaves the cause out.
func (s *SDK) configuration(namespace string, reasons *[]string) (*action.Configuration, error) {
	config := &action.Configuration{}
	log := func(format string, args ...any) {
		if reasons != nil && strings.Contains(format, "ailed") {
			*reasons = append(*reasons, fmt.Sprintf(format, args...))
		}
	}
	if err := config.Init(getter{s.cluster, namespace}, namespace, "secret", log); err != nil {
		return nil, fmt.Errorf("preparing Helm: %w", err)
	}
	config.Releases.MaxHistory = maxHistory
	capabilities, err := s.cluster.capabilitiesOf()
	if err != nil {
		return nil, err
	}
	config.Capabilities = capabilities
	return config, nil
}

// checkValues tells values that do not fit the schema apart from every other failure.
func checkValues(r Request) error {
	values, err := chartutil.CoalesceValues(r.Chart, r.Values)
	if err != nil {
		return &ValuesError{oneLine(err.Error())}
	}
	if err := chartutil.ValidateAgainstSchema(r.Chart, values); err != nil {
		return &ValuesError{oneLine(err.Error())}
	}
	return nil
}

func explain(doing, name string, err error) error {
	var chartErr *ChartError
	if errors.As(err, &chartErr) {
		return chartErr
	}
	if complaint := refusalOf(err.Error()); complaint != "" {
		return &ValuesError{oneLine(complaint)}
	}
	return fmt.Errorf("%s %s: %w", doing, name, err)
}

// refusalOf returns what a chart's own fail() says about values that its schema cannot check,
// or nothing for any other error. Helm offers no type for it, only this wording.
func refusalOf(message string) string {
	_, after, found := strings.Cut(message, "execution error at (")
	if !found {
		return ""
	}
	_, complaint, _ := strings.Cut(after, "): ")
	return complaint
}

// oneLine makes Helm's list of complaints fit a condition's message.
func oneLine(message string) string {
	var parts []string
	for line := range strings.SplitSeq(message, "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- "))
		if line != "" && !strings.HasPrefix(line, "values don't meet") && !strings.HasSuffix(line, ":") {
			parts = append(parts, line)
		}
	}
	if len(parts) == 0 {
		return strings.TrimSpace(message)
	}
	return strings.Join(parts, "; ")
}
