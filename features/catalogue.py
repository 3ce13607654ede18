"""Which facts about a customer this shop uses.

Every family is used with the windows below; name some families to use only those. The shop's own
signals stand in their own files beside this one: see README.md.
"""

from churnguard.features.catalogue import Catalogue

CATALOGUE = Catalogue.of(windows=(30, 90, 180, 365))
