import Foundation
import XCTest

@testable import IsoDepCore

final class DeskTests: XCTestCase {
  private let field = FakeField()
  private var told: [PhoneEvent] = []
  private var alarms: [() -> Void] = []
  private var answers: [BatchAnswer] = []
  private lazy var desk = Desk(
    field: field, after: { [self] _, work in alarms.append(work) },
    tell: { [self] event in told.append(event) })

  private func held(_ card: Card) {
    desk.begin(BeginArgs(transceiveMs: 5_000)) { _ in }
    desk.opened()
    desk.found(card)
  }

  private func send(_ commands: Order...) {
    let args = TransceiveArgs(session: 1, tag: 1, commands: commands)
    desk.transceive(args) { [self] result in
      if case .success(let answer) = result { answers.append(answer) }
    }
  }

  func testACardLostInMidBatchKeepsTheRepliesSoFarAndGetsNothingMore() {
    let card = FakeCard([.success(Data([0xAA, 0x90, 0])), .failure(.gone)])
    held(card)
    send(Order(data: "01"), Order(data: "02"), Order(data: "03"))
    XCTAssertEqual(answers.first?.replies, ["AA9000"])
    XCTAssertEqual(answers.first?.stop, .tagLost)
    XCTAssertEqual(card.sent, [Data([1]), Data([2])])
    XCTAssertEqual(told.last?.kind, .lost)
    XCTAssertEqual(field.polls, 1)
  }

  func testAStatusWordThatIsNotWaitedForStopsTheBatch() {
    held(FakeCard([.success(Data([0x6A, 0x82]))]))
    send(Order(data: "01", goOn: ["9000"]), Order(data: "02"))
    XCTAssertEqual(answers.first?.stop, .statusWord)
    XCTAssertEqual(field.polls, 0, "the card is as good as before")
  }

  func testACardThatIsSilentIsGivenUpAndHeardNoMore() {
    let card = FakeCard([])
    held(card)
    send(Order(data: "01"))
    XCTAssertEqual(answers.count, 0)
    alarms.forEach { $0() }
    XCTAssertEqual(answers.first?.stop, .timeout)
    card.late?(.success(Data([0x90, 0])))
    XCTAssertEqual(answers.count, 1)
  }

  func testASheetThatTheyClosedEndsTheBatchAndIsTold() {
    held(FakeCard([]))
    send(Order(data: "01"))
    desk.closed(200)
    XCTAssertEqual(answers.first?.stop, .closed)
    XCTAssertEqual(told.last, PhoneEvent(.closed, session: 1, why: "cancelled"))
  }

  func testACardThatRustGaveUpIsFoundAnew() {
    held(FakeCard([]))
    desk.release(1, 1)
    XCTAssertEqual(told.last?.kind, .lost)
    XCTAssertEqual(field.polls, 1)
    desk.release(1, 1)
    XCTAssertEqual(field.polls, 1, "it is gone already")
  }

  func testABusySystemRefusesTheSheet() {
    var code: String?
    desk.begin(BeginArgs(transceiveMs: 1)) { result in
      if case .failure(let refused) = result { code = refused.code }
    }
    desk.closed(203)
    XCTAssertEqual(code, "busy")
  }

  func testAnOldSessionIsNeverTalkedTo() {
    let card = FakeCard([])
    held(card)
    desk.end(1)
    send(Order(data: "01"))
    XCTAssertEqual(answers.first?.stop, .closed)
    XCTAssertEqual(card.sent, [])
    XCTAssertFalse(field.isOpen)
  }

  func testTheStateIsAskedAnewEachTimeThatItIsTold() {
    field.state = "none"
    desk.tellState()
    field.state = "on"
    desk.tellState()
    held(FakeCard([]))
    field.state = "none"
    desk.tellState()
    XCTAssertEqual(told.map { $0.nfc }, ["none", "on", nil], "a card is held, which says more")
  }

  func testTheSheetSpeaksTheLanguageOfTheAppOrElseThatOfThePhone() {
    XCTAssertEqual(Words.of("en", ["zh-Hans-CN"]), Words.english, "chosen in the app")
    XCTAssertEqual(Words.of("zh-TW", ["en-GB"]), Words.traditional)
    XCTAssertEqual(Words.of(nil, ["fr-FR", "en-GB", "zh-Hans-CN"]), Words.english, "the first that we speak")
    XCTAssertEqual(Words.of(nil, ["zh-Hant-HK"]), Words.traditional)
    XCTAssertEqual(Words.of(nil, ["zh-TW"]), Words.traditional)
    XCTAssertEqual(Words.of(nil, ["zh-Hans-TW"]), Words.simplified, "the script comes before the region")
    XCTAssertEqual(Words.of(nil, ["fr-FR"]), Words.simplified)
  }

  func testWhoCouldNotBeAskedIsNotRefused() {
    XCTAssertEqual(Confirmed.of(true, nil).answer, "yes")
    XCTAssertEqual(Confirmed.of(false, -2).answer, "no", "closed by the person")
    XCTAssertEqual(Confirmed.of(false, -5).answer, "unable", "no passcode is set")
  }
}

private final class FakeCard: Card {
  private var replies: [Result<Data, CardFailure>]
  var sent: [Data] = []
  var late: ((Result<Data, CardFailure>) -> Void)?

  init(_ replies: [Result<Data, CardFailure>]) {
    self.replies = replies
  }

  func transceive(_ command: Data, _ done: @escaping (Result<Data, CardFailure>) -> Void) {
    sent.append(command)
    if replies.isEmpty {
      late = done
    } else {
      done(replies.removeFirst())
    }
  }
}

private final class FakeField: Field {
  var state = "on"
  var isOpen = false
  var polls = 0

  func open() { isOpen = true }

  func pollAnew() { polls += 1 }

  func close() { isOpen = false }
}
