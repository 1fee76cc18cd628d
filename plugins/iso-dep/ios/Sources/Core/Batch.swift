import Foundation

/// A connected card, whatever radio it is on.
public protocol Card: AnyObject {
  /// Gives the whole reply, status word included, on the desk's queue.
  func transceive(_ command: Data, _ done: @escaping (Result<Data, CardFailure>) -> Void)
}

public enum CardFailure: Error, Equatable {
  case gone
  case closed
  case radio
}

/// Sends command after command until one of them gives a reason to stop. After a failure nothing more is sent.
final class Batch {
  private let card: Card
  private let commands: [Order]
  private let finish: (BatchAnswer) -> Void
  private var replies: [String] = []
  private var ms: [Int] = []
  private(set) var isOver = false

  init(card: Card, commands: [Order], finish: @escaping (BatchAnswer) -> Void) {
    self.card = card
    self.commands = commands
    self.finish = finish
  }

  func run() {
    guard !isOver else { return }
    guard replies.count < commands.count else { return stop(.done) }
    guard let command = bytes(commands[replies.count].data) else { return stop(.io) }
    let began = ProcessInfo.processInfo.systemUptime
    card.transceive(command) { [self] result in
      guard !isOver else { return }
      switch result {
      case .success(let reply): took(reply, ProcessInfo.processInfo.systemUptime - began)
      case .failure(.gone): stop(.tagLost)
      case .failure(.closed): stop(.closed)
      case .failure(.radio): stop(.io)
      }
    }
  }

  /// Whoever waits is told now; what the card still says is not heard.
  func stop(_ why: Stop) {
    guard !isOver else { return }
    isOver = true
    finish(BatchAnswer(replies: replies, stop: why, ms: ms))
  }

  private func took(_ reply: Data, _ seconds: TimeInterval) {
    guard reply.count >= 2 else { return stop(.tagLost) }
    let goOn = commands[replies.count].goOn
    replies.append(hexadecimal(reply))
    ms.append(Int(seconds * 1_000))
    let status = hexadecimal(reply.suffix(2))
    let goesOn = goOn.isEmpty || goOn.contains { status.hasPrefix($0) }
    if !goesOn && replies.count < commands.count {
      return stop(.statusWord)
    }
    run()
  }
}

func hexadecimal(_ data: Data) -> String {
  return data.map { String(format: "%02X", $0) }.joined()
}

func bytes(_ text: String) -> Data? {
  guard text.count % 2 == 0 else { return nil }
  var data = Data(capacity: text.count / 2)
  var rest = Substring(text)
  while !rest.isEmpty {
    guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
    data.append(byte)
    rest = rest.dropFirst(2)
  }
  return data
}
