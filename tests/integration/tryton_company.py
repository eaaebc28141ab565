"""A company that buys with Tryton, driven through proteus, for test_tryton.py.

``python tryton_company.py <database>`` with a Tryton database of the module purchase. ``TRYTOND_CONFIG`` names the
server and says that there are workers; there is none, so that a confirmed order waits until somebody processes it.
Each line on standard input is a JSON list, a step and its arguments; each line on standard output is a JSON
object of what the step made.
"""

from __future__ import annotations

import datetime
import json
import sys
from decimal import Decimal
from typing import Any

from proteus import Model, config
from trytond.modules.account.tests.tools import create_chart, get_accounts
from trytond.modules.company.tests.tools import create_company

SUPPLIERS = {"Anvilgate Castings": "AG-{}", "Brightseal Seals": "BS/{}"}
ITEMS = {
    "P10003": ("Volute casing DN13", "Unit"),
    "P10014": ("Bronze, 24 mm", "Kilogram"),
    "P10019": ("O-ring", "Unit"),
}


class Company:
    """Ravensmoor Pump Works, as far as it buys."""

    def __init__(self, database: str) -> None:
        self.config = config.set_trytond(database=database)
        self.parties: dict[str, Any] = {}
        self.products: dict[str, Any] = {}

    def set_up(self) -> dict[str, Any]:
        """Company, chart of accounts, suppliers, items and what suppliers call them."""
        party = Model.get("party.party")(name="Ravensmoor Pump Works")
        party.save()
        create_company(party=party)
        create_chart()
        category = Model.get("product.category")(name="Goods", accounting=True)
        category.account_expense = get_accounts()["expense"]
        category.save()
        for name in SUPPLIERS:
            self.parties[name] = Model.get("party.party")(name=name)
            self.parties[name].save()
        for code, (name, unit) in ITEMS.items():
            self.products[code] = self._product(code, name, unit, category)
        return {
            "suppliers": {name: party.code for name, party in self.parties.items()},
            "items": list(ITEMS),
        }

    def order(self, supplier: str, lines: list[tuple[str, str, str]], due: str) -> dict[str, Any]:
        """A confirmed purchase; each line is an item, a quantity and a price."""
        purchase = Model.get("purchase.purchase")(party=self.parties[supplier], invoice_method="manual")
        purchase.delivery_date = datetime.date.fromisoformat(due)
        for item, quantity, price in lines:
            line = purchase.lines.new(product=self.products[item], quantity=float(quantity))
            line.unit_price = Decimal(price)
        purchase.save()
        purchase.click("quote")
        purchase.click("confirm")
        return self._told(purchase)

    def revise(self, id_: int, quantities: dict[str, str | None]) -> dict[str, Any]:
        """Back to a draft, other quantities by line (None: the line goes), and confirmed again."""
        purchase = Model.get("purchase.purchase")(id_)
        purchase.click("draft")
        for line in list(purchase.lines):
            if str(line.id) in quantities:
                quantity = quantities[str(line.id)]
                if quantity is None:
                    purchase.lines.remove(line)
                else:
                    line.quantity = float(quantity)
        purchase.save()
        purchase.click("quote")
        purchase.click("confirm")
        return self._told(purchase)

    def cancel(self, id_: int) -> dict[str, Any]:
        purchase = Model.get("purchase.purchase")(id_)
        purchase.click("draft")
        purchase.click("cancel")
        return self._told(purchase)

    def receive(self, id_: int, reference: str) -> dict[str, Any]:
        """All goods of the purchase come with one shipment and are put away."""
        purchase = Model.get("purchase.purchase")(id_)
        purchase.click("process")
        shipment = Model.get("stock.shipment.in")(supplier=purchase.party, reference=reference)
        move = Model.get("stock.move")
        for one in purchase.moves:
            shipment.incoming_moves.append(move(id=one.id))
        shipment.save()
        shipment.click("receive")
        shipment.click("do")
        shipment.reload()
        Model.get("purchase.purchase")(id_).click("process")
        return {
            "number": shipment.number,
            "moves": {str(one.id): str(one.quantity) for one in shipment.incoming_moves},
            "on": shipment.effective_date.isoformat(),
        }

    def call_off_line(self, id_: int, line: int) -> dict[str, Any]:
        """The goods of one line will not come, of an order that is under way."""
        purchase = Model.get("purchase.purchase")(id_)
        purchase.click("process")
        (move,) = (one for one in purchase.moves if one.origin.id == line)
        move.click("cancel")
        purchase.click("process")
        wizard = purchase.click("handle_shipment_exception")
        wizard.form.ignore_moves.extend(wizard.form.ignore_moves.find())
        wizard.execute("handle")
        purchase.click("process")
        return self._told(Model.get("purchase.purchase")(id_))

    def _product(self, code: str, name: str, unit: str, category: Any) -> Any:
        (uom,) = Model.get("product.uom").find([("name", "=", unit)])
        template = Model.get("product.template")(name=name, default_uom=uom, type="goods", purchasable=True)
        template.account_category = category
        (product,) = template.products
        product.suffix_code = code
        template.save()
        for supplier, pattern in SUPPLIERS.items():
            Model.get("purchase.product_supplier")(
                template=template, party=self.parties[supplier], code=pattern.format(code[1:])
            ).save()
        return template.products[0]

    def _told(self, purchase: Any) -> dict[str, Any]:
        lines = {str(line.id): [line.product.code, str(line.quantity)] for line in purchase.lines}
        return {"id": purchase.id, "number": purchase.number, "state": purchase.state, "lines": lines}


def main(database: str) -> None:
    company = Company(database)
    for line in sys.stdin:
        step, *arguments = json.loads(line)
        print(json.dumps(getattr(company, step)(*arguments)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
