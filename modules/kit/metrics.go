package kit

import (
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts requests by route pattern, so that neither case numbers nor
// an attacker's paths become label values.
type metrics struct {
	registry *prometheus.Registry
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Time to answer HTTP requests, by route pattern and status.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "status"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ejustice_tls_refused_total",
			Help: "Connections refused at the TLS handshake, by reason.",
		}, []string{"reason"}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.duration,
		m.refused,
	)
	return m
}

// WatchPool measures a database pool.
func (router *Router) WatchPool(pool *pgxpool.Pool) {
	router.metrics.registry.MustRegister(
		gauge("database_connections_in_use", "Database connections doing work.", nil, func() float64 { return float64(pool.Stat().AcquiredConns()) }),
		gauge("database_connections_max", "Most database connections this process opens.", nil, func() float64 { return float64(pool.Stat().MaxConns()) }),
	)
}

// Watch measures something of the module's own each time that the metrics are
// asked for.
func (router *Router) Watch(name, help string, read func() float64) {
	router.metrics.registry.MustRegister(gauge(name, help, nil, read))
}

// watchCertificate measures how long a certificate lasts. kind is "module" for
// traffic inside the tenant and "public" for people's.
func (m *metrics) watchCertificate(kind string, t *TLS) {
	m.registry.MustRegister(gauge("ejustice_certificate_expiry_timestamp_seconds", "When the certificate in use ends, in seconds since 1970.",
		prometheus.Labels{"certificate": kind}, func() float64 { return float64(t.expiry().Unix()) }))
}

func gauge(name, help string, labels prometheus.Labels, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, read)
}

func (m *metrics) observe(route string, status int, took time.Duration) {
	m.duration.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
