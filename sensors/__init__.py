"""What starts work by itself."""

from sensors.automation import refresh_sensor
from sensors.dead_runs import dead_run_sensor
from sensors.drift import drift_sensor
from sensors.failures import failure_sensor
from sensors.new_documents import new_document_sensor
from sensors.new_domains import new_domain_sensor
from sensors.new_techniques import new_technique_sensor
from sensors.technique_feed import technique_feed_sensor

all_sensors = [
    dead_run_sensor,
    new_domain_sensor,
    new_document_sensor,
    new_technique_sensor,
    refresh_sensor,
    technique_feed_sensor,
    drift_sensor,
    failure_sensor,
]

__all__ = [
    "all_sensors",
    "dead_run_sensor",
    "drift_sensor",
    "failure_sensor",
    "new_document_sensor",
    "new_domain_sensor",
    "new_technique_sensor",
    "refresh_sensor",
    "technique_feed_sensor",
]
