import time
import unittest

from tapfill import PASSWORD, PHONE, Tapfill


class TopUp(unittest.TestCase):
    """Each test has an app, a bank, a reader and a card of its own."""

    def setUp(self) -> None:
        self.app = Tapfill()
        self.addCleanup(self.app.stop)
        self.app.text("action-balance")  # a first start enrols by itself and ends at home

    def top_up(self, yuan: int) -> None:
        app = self.app
        app.click("action-topup")
        since_ms = (time.time() - 1) * 1000
        app.type("phone-input", PHONE)
        app.click("send-code")
        app.type("code-input", app.sms_code(since_ms))
        app.click("verify-code")
        app.click(f"amount-chip-{yuan}")
        for digit in PASSWORD:
            app.click(f"pin-key-{digit}")
        app.click("submit")

    def test_a_card_tells_its_balance(self) -> None:
        self.app.click("action-balance")
        self.assertEqual(self.app.text("balance-amount"), "128.50")
        self.assertRegex(self.app.text("card-number"), r"4471$")

    def test_fifty_yuan_go_onto_the_card(self) -> None:
        self.top_up(50)
        self.assertEqual(self.app.text("receipt-balance"), "178.50")
        self.assertRegex(self.app.text("receipt-reference"), r"^TF-")

    def test_a_card_pulled_after_it_was_written_has_its_money(self) -> None:
        self.app.card("tear 52 after")
        self.top_up(50)
        self.assertEqual(self.app.text("error-code"), "card-lost")
        self.assertIn("50.00", self.app.text("error-money"), "the person is told where the money is")
        self.app.click("nav-home")
        self.assertEqual(self.app.text("pending-amount"), "50.00")
        self.app.card("clear")
        # As a person does: the card goes back once the app has seen that it is gone.
        self.app.state("reader-state", "empty")
        self.app.card("insert")
        self.app.state("reader-state", "card")
        self.app.click("action-resume")
        ended = self.app.state("resume-state", "already-on-card", "failed")
        self.assertEqual(ended, "already-on-card", self.app.shown("error-code"))
        self.assertEqual(self.app.text("receipt-balance"), "178.50")

    def test_a_card_put_down_later_is_read_then(self) -> None:
        self.app.card("remove")
        self.app.state("reader-state", "empty")
        self.app.click("action-balance")
        self.app.card("insert")
        self.assertEqual(self.app.text("balance-amount"), "128.50")


if __name__ == "__main__":
    unittest.main()
