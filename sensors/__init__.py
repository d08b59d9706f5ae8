"""What starts work by itself."""

from sensors.automation import refresh_sensor
from sensors.new_domains import new_domain_sensor

all_sensors = [new_domain_sensor, refresh_sensor]

__all__ = ["all_sensors", "new_domain_sensor", "refresh_sensor"]
